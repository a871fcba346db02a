"""Language about pictures: places as tokens, outlines as few points. `foretell.methods.vista` learns to speak so."""
