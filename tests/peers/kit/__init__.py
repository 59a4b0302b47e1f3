"""What the tests against foreign peers share. Standard library and Debian's peer modules only."""
