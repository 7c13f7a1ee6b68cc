from .bending import Bending, Guiding, bend
from .guide import Guide, Pull, open_guide
from .settings import Guidance, split_guidance
from .shares import SHARES

__all__ = ["SHARES", "Bending", "Guidance", "Guide", "Guiding", "Pull", "bend", "open_guide", "split_guidance"]
