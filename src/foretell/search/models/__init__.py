"""Models that turn texts, photographs and videos into vectors, and models that rank passages.

Read on in this order: onnx (run a graph), text, cross_encoder, colbert, media (needs torch), load.
"""
