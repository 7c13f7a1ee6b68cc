from .checkpoint import gmsdi_sha256, load_gmsdi
from .network import GMSDI, GMSDIConfig

__all__ = ["GMSDI", "GMSDIConfig", "gmsdi_sha256", "load_gmsdi"]
