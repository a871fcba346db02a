"""The service that Dria's clients know: the paths and bodies that they send, and the answers that they read.

Facts from the Python client 0.1.20 and the JavaScript client 0.0.4. Both read only `data`, and take every status but
200 for an error.

Differs from Dria:
- Public knowledges are read without a key. A knowledge that a key creates is private, until the other API makes it
  public.
- `field` can only name the column that was chosen when the file was added.
- Nothing is written to a blockchain, so nothing costs credits.
"""
