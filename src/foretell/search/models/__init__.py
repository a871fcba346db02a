"""Models: how texts, photographs and videos become vectors, and how passages are ranked.

Read on in this order: onnx (run a graph), text, cross_encoder, colbert, media (needs torch), load.
"""
