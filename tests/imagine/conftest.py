from tests.worlds import model, tiny

__all__ = ["model", "tiny"]
