"""How fast mining is, beside what the decoders alone reach on the same clips in the same run."""
