"""How fast the scorer answers: in process and over gRPC, each beside its limit."""
