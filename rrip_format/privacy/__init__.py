"""What may say whose tissue a slide shows, and how it stays out of a container (spec section 8.8)."""
