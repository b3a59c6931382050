"""Find and leave out what may identify the patient (spec section 8.8)."""
