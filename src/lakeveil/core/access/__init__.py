"""Who may see what: tags, grants and the one decision, after AWS Lake Formation, plus masks."""
