"""What makes a page true: reads a page and turns each of its claims into a test."""
