"""The Velocity Net: notes in, how hard a pianist would strike each out (chapter 11)."""
