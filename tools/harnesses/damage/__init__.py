"""Shared parts of the harnesses that damage containers.

``specimens`` makes the containers, ``edit`` puts a changed part into one of any kind, ``streams``, ``structure`` and
``mutate`` do the damage, ``doors`` reads what is left as a user would and judges it, ``pool`` does all that in child
processes that may crash, hang or eat memory without taking the harness with them.
"""
