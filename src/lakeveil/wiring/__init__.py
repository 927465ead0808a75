"""The only room that knows every adapter: settings in, running parts out."""
