"""The rules. Each public function is one call of the API or one command; it owns its transaction."""
