"""The Python door for scientists: data in, a law out, with all that is to be said of it."""
