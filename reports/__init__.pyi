from .contact_sheet import contact_sheet as contact_sheet
from .contact_sheet import sheet_caption as sheet_caption
from .drawing import draw as draw
from .drawing import draw_dag as draw_dag
from .writer import write_report as write_report
from .writer import write_text as write_text
