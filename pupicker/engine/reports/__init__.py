"""Pages in HTML, from the templates in ``templates/``.

``html`` (the page), ``sections`` and ``figures`` (what both kinds show), ``plots``; ``training``, ``picking``.
"""
