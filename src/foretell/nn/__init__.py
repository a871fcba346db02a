"""Networks: encoders, predictors and what they are made of."""
