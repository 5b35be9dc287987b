"""Networks of the plug-ins: crops in, what the network says out, in its own convention.

What a run does with the answers (crops, frames of reference, votes) is in `lpff_ray.measure`.
"""
