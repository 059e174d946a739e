"""The synthetic demo set: articulated people drawn from a 3-D kinematic body, doing a dozen actions."""
