"""Pages in HTML.

``html`` (the page), ``sections`` and ``figures`` (what both kinds show), ``plots``; ``training``, ``picking``.
"""
