"""Review marks: what people decided about faces, kept as logs of actions and read as one state."""
