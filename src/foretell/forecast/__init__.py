"""What comes next in a procedure, and what lies between here and a goal.

found = forecast(model, model.encode(clips), steps=2, samples=8)
found.steps[0]                       # the likeliest next steps, with their probabilities
forecast_figure(…).savefig("next.png")
"""

from foretell.forecast.ask import Forecast, Near, forecast
from foretell.forecast.draw import Strip, forecast_figure

__all__ = ["Forecast", "Near", "Strip", "forecast", "forecast_figure"]
