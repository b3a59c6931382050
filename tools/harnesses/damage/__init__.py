"""What the harnesses of damage share: tiny containers of every kind, ways to spoil them, doors to read them through.

``specimens`` makes the containers, ``edit`` puts a changed part into one of any kind, ``streams``, ``structure`` and
``mutate`` do the damage, ``doors`` reads what is left as a user would and judges it, ``pool`` does all that in child
processes that may crash, hang or eat memory without taking the harness with them.
"""
