"""Networks: encoders, predictors and their parts."""
