"""Does the order of a customer's last events tell more of P(cancel) than the boosted trees see?"""
