"""Training: schedules, optimiser, loop, checkpoints, monitors."""
