"""What the make targets do, as tables: ``legs`` of the test run, ``environments``, ``debian`` packages."""
