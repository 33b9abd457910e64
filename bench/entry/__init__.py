"""Decides whether a quantized perception model may ship: converts, measures, judges, reports."""
