"""Many runs by one command: started side by side, resumed, and brought together over their seeds."""
