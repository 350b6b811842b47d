"""Import of *Hotel booking demand* (Antonio, Almeida, Nunes 2019): bookings to an event log."""
