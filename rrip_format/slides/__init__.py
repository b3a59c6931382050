"""An open slide as arrays: what ``rrip_format.open`` gives."""
