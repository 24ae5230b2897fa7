"""Flask: who people are, what they may, and what they share."""
