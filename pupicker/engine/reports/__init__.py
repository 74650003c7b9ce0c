"""Pages in HTML.

``png`` (small files), ``html`` (the page), ``sections`` and ``figures`` (what both kinds show), ``plots``;
``training``, ``picking``.
"""
