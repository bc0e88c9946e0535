"""How a clean photo becomes a low-quality one."""
