"""From a command line to live objects: configuration checked, composed and built."""
