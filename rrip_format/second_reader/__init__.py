"""A second opinion on a source: the same pixels by another library and by other code.

Everything else in this package trusts a source's one reader. Where that takes the wrong page, the wrong colours or the
wrong way up, container, ``--verify`` and ``validate --source`` agree with each other and are wrong together. So
:func:`.check.check_source` reads a few blocks again by a reader that shares nothing with the source's but the file.
"""
