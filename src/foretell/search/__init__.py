"""Search in what people write and photograph: documents and images become entries of a knowledge.

Importing this package costs nothing: the parsers' child process does it for every folder that is read.
"""
