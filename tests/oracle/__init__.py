"""Plain answers, written apart from the code that they judge."""
