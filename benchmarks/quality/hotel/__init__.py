"""Real bookings: does a hotel's room get cancelled? Beside the published figures."""
