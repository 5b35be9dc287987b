"""The networks of optional models: crops in, the network's own output out, in its own convention.

What a run does with the output (crops, frames of reference, votes) is in `lpff_ray.measure`.
"""
