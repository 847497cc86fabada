"""What Innkeeper costs: each bench measures its thing and the bare thing in one run, and says what it measured on."""
