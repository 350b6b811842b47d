"""How fast events become features: through the dataflow, in bulk, and read back."""
