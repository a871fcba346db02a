"""How fast is foretell, beside other libraries that do the same? Not part of the package; see docs/speed.md.

python -m benchmarks.step          one training step of I-JEPA
python -m benchmarks.loading       images from disk to augmented batches
python -m benchmarks.inference     an encoder at work
python -m benchmarks.memory        memory an image
python -m benchmarks.search        search over HTTP, and how well it finds
python -m benchmarks.stores        search beside other stores, and as entries grow
python -m benchmarks.ingest        documents to passages
python -m benchmarks.video         videos: decoding, a training step, surprise
python -m benchmarks.sizes         the papers' sizes beside published numbers; see docs/scale.md
python -m benchmarks.gpu           the first minutes on a GPU; see docs/scale.md
"""
