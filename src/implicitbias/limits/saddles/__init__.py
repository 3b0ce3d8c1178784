"""Small-scale limits of whole trajectories: the saddles that training passes, and when."""
