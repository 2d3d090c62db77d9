from .contact_sheet import (
    Head as Head,
    contact_sheet as contact_sheet,
    sheet_caption as sheet_caption,
)
from .drawing import draw as draw, draw_dag as draw_dag, draw_partial as draw_partial
from .film_strip import film_strip as film_strip
from .gantt import Bar as Bar, gantt as gantt
from .image_sheet import image_sheet as image_sheet
from .notebook import notebook_html as notebook_html
from .rasterised import png as png
from .roofline import RooflinePoint as RooflinePoint, roofline as roofline
from .writer import (
    write_bytes as write_bytes,
    write_report as write_report,
    write_text as write_text,
)
