"""What the measuring programs themselves must get right."""
