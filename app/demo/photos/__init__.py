"""Photos of the demo's things, drawn: no picture from elsewhere is used."""
