"""RASS and SCR (IJCV 2026), the reference models, on stock diffusers and transformers networks."""
