"""Inputs that mean harm or carelessness, each with the answer it must get."""
